import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local_cloud.store import Store


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path / "state.db")
    yield store
    store.close()


def test_a_document_comes_back_as_it_was_put(store: Store) -> None:
    document = {"Name": "a", "Created": datetime(2026, 1, 2, 3, 4, 5, 678000, UTC), "Rows": [1, 2.5, None, {"x": True}]}
    store.table("jobs").put("a", document)
    assert store.table("jobs").get("a") == document


def test_what_is_read_is_a_copy(store: Store) -> None:
    table = store.table("jobs")
    table.put("a", {"status": "InProgress"})
    read = table.get("a")
    assert read is not None
    read["status"] = "Completed"
    assert table.get("a") == {"status": "InProgress"}


def test_documents_keep_the_order_in_which_they_were_first_put(store: Store) -> None:
    table = store.table("jobs")
    for key in ("b", "a", "c"):
        table.put(key, {"n": 1})
    table.put("b", {"n": 2})
    assert [(key, document["n"]) for key, document in table.items()] == [("b", 2), ("a", 1), ("c", 1)]


def test_tables_do_not_see_each_other(store: Store) -> None:
    store.table("jobs").put("a", {"n": 1})
    assert store.table("models").get("a") is None
    assert store.table("models").items() == []


def test_changing_an_absent_document_is_a_key_error(store: Store) -> None:
    with pytest.raises(KeyError, match="gone"), store.table("jobs").change("gone"):
        pass


def test_a_failed_change_changes_nothing(store: Store) -> None:
    table = store.table("jobs")
    table.put("a", {"n": 1})
    with pytest.raises(ZeroDivisionError), table.change("a") as document:
        document["n"] = 1 // 0
    assert table.get("a") == {"n": 1}


def test_changes_of_many_threads_are_all_kept(store: Store) -> None:
    table = store.table("counters")
    table.put("n", {"value": 0})

    def count() -> None:
        for _ in range(50):
            with table.change("n") as document:
                document["value"] += 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert table.get("n") == {"value": 200}


def test_a_value_that_is_not_json_is_refused_by_its_type(store: Store) -> None:
    with pytest.raises(TypeError, match="got set"):
        store.table("jobs").put("a", {"tags": {1, 2}})


def test_documents_survive_a_killed_process(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from local_cloud.store import Store\n"
        "table = Store(Path(sys.argv[1])).table('jobs')\n"
        "for n in range(100): table.put(str(n), {'n': n})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "state.db")], check=False)
    store = Store(tmp_path / "state.db")
    assert [document["n"] for _, document in store.table("jobs").items()] == list(range(100))
    store.close()
