"""What the data must be like before a model learns from it. Edit it together with model.py.

Types, and which values may be missing at all, stand in COLUMNS of model.py; here stands what else must hold of the
records that read_records returns. `prepare` checks it before it splits them, and names every breach at once. Checks are
those of pandera, such as Check.in_range, isin, str_matches, or a function of your own:
https://pandera.readthedocs.io/en/stable/polars.html
"""

from pandera.polars import Check

from model_code.data_quality import DataContract

DATA_CONTRACT = DataContract(
    checks={
        "sched_arr_time": Check.in_range(0, 2359, error="a time from 0 to 2359"),
        "carrier": Check.str_matches(r"^[0-9A-Z]{2}$", error="a carrier's two characters"),
        "origin": Check.isin(["EWR", "JFK", "LGA"]),
        "dest": Check.str_matches(r"^[A-Z]{3}$", error="an airport's three letters"),
        "distance": Check.in_range(50, 6000),
        "temp": Check.in_range(-40, 130),
        "dewp": Check.in_range(-60, 100),
        "humid": Check.in_range(0, 100),
        "wind_dir": Check.in_range(0, 360),
        "wind_speed": Check.in_range(0, 150),
        "wind_gust": Check.in_range(0, 200),
        "precip": Check.in_range(0, 10),
        "pressure": Check.in_range(900, 1100),
        "visib": Check.in_range(0, 10),
    },
    # Largest share of missing values. Gusts are reported only when there are some, so wind_gust may miss any number.
    missing={"temp": 0.05, "dewp": 0.05, "humid": 0.05, "wind_speed": 0.05, "precip": 0.05, "visib": 0.05,
             "wind_dir": 0.10, "pressure": 0.25},
    key=("carrier", "flight", "origin", "scheduled_departure"),  # none twice: not the same file under two names
    minimum_records=1000,
    # The example's flights are those of 2013. For data that goes on: Freshness("scheduled_departure", days=7)
    freshness=None,
    # Columns that may know the label as well as they do, with the reason, such as {"prior_auth": "known at admission"}
    leakage_allowed={},
    largest_overlap=0.001,
)  # fmt: skip
