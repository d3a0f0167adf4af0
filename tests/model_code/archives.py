"""Model artifacts as somebody makes them who wants to do harm, each with what its refusal says."""

import gzip
import struct
import tarfile

Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", **more: object) -> Member:
    """One member; more of its header can be said: type, linkname, pax_headers."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def tar(*members: Member, ended: bool = True) -> bytes:
    """A tar archive; one that is not ended breaks off after its last member."""
    parts = [header(info) + content + bytes(-len(content) % 512) for info, content in members]
    return b"".join([*parts, bytes(1024) if ended else b""])


def header(info: tarfile.TarInfo) -> bytes:
    """The blocks that describe a member, as tarfile writes them."""
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def changed(info: tarfile.TarInfo, place: int, field: bytes) -> bytes:
    """A header with other bytes in a field, and the checksum that belongs to them."""
    block = bytearray(header(info))
    block[place : place + len(field)] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def archive(*members: Member) -> bytes:
    """A .tar.gz."""
    return gzip.compress(tar(*members), mtime=0)


def _pax_header(records: bytes) -> bytes:
    """A header that describes the next member with these records, as long as they are."""
    return tar(member("PaxHeader", records, type=tarfile.XHDTYPE), ended=False)


def _sparse() -> bytes:
    """A file of one block of data and a hole of 8 GiB, in the form of old GNU tars."""
    info, content = member("model.ubj", b"x" * 512, type=tarfile.GNUTYPE_SPARSE)
    map_and_size = b"%011o\0%011o\0" % (0, 512) + bytes(72 + 1) + b"%011o\0" % (8 * 2**30 - 1)
    return gzip.compress(changed(info, 386, map_and_size) + content + bytes(1024))


def _sized(info: tarfile.TarInfo, size: int) -> bytes:
    """A header that says a size which octal digits cannot."""
    return changed(info, 124, (b"\x80" + bytes(3) if size >= 0 else b"\xff" * 4) + struct.pack(">q", size))


_PLAIN = member("model.ubj", b"model")
_LINKS = {"linkname": "/etc/passwd"}

HOSTILE: dict[str, tuple[bytes, str]] = {
    "absolute path": (archive(member("/model.ubj")), "'/model.ubj' must be a path inside the model's folder"),
    "parent": (archive(member("../model.ubj")), "'../model.ubj' must be a path inside the model's folder"),
    "parent of a part": (archive(member("a/../../b")), "'a/../../b' must be a path inside the model's folder"),
    "parent of a folder": (archive(member("..", type=tarfile.DIRTYPE)), "must be a path inside the model's folder"),
    "symbolic link": (
        archive(member("a", type=tarfile.SYMTYPE, **_LINKS)),
        "'a' is a symbolic link to '/etc/passwd', allowed: files and folders",
    ),
    "hard link": (archive(member("a", type=tarfile.LNKTYPE, **_LINKS)), "'a' is a hard link to '/etc/passwd', allowed"),
    "link inside": (archive(_PLAIN, member("a", type=tarfile.SYMTYPE, linkname="model.ubj")), "is a symbolic link"),
    "character device": (archive(member("a", type=tarfile.CHRTYPE)), "'a' is a character device, allowed"),
    "block device": (archive(member("a", type=tarfile.BLKTYPE)), "'a' is a block device, allowed"),
    "named pipe": (archive(member("a", type=tarfile.FIFOTYPE)), "'a' is a named pipe, allowed"),
    "unknown kind": (archive(member("a", type=b"Z")), "'a' is of the type b'Z', allowed: files and folders"),
    "sparse file": (_sparse(), "'model.ubj' is a sparse file, allowed"),
    "file twice": (archive(_PLAIN, _PLAIN), "'model.ubj' is there twice, allowed: each file once"),
    "file twice, written otherwise": (archive(_PLAIN, member("./model.ubj")), "'./model.ubj' is there twice"),
    "file that is a folder": (archive(member("a", type=tarfile.DIRTYPE), member("a")), "'a' is a file and a folder"),
    "file that has something in it": (archive(member("a"), member("a/b")), "'a' is a file and a folder"),
    "the folder itself as a file": (archive(member(".")), "'.' is a file and a folder, allowed: one of the two"),
    "line end in a path": (archive(member("a\nb")), r"'a\nb' must be of printable characters without a backslash"),
    "colour in a path": (archive(member("a\x1b[31m")), r"'a\x1b[31m' must be of printable characters"),
    "backslash in a path": (archive(member("a\\b")), "must be of printable characters without a backslash"),
    "path that is no UTF-8": (archive(member("a\udcff")), r"'a\udcff' must be of printable characters"),
    "long path": (archive(member("a/" * 127 + "bc")), "must have at most 255 bytes, it has 256"),
    "long name for the log": (archive(member("a" * 100_000)), f"the path '{'a' * 100}...' must have at most 255 bytes"),
    # With a size below 0, tarfile would read the same header again and again.
    "size below 0": (
        gzip.compress(_sized(_PLAIN[0], -512) + bytes(1024)),
        "'model.ubj' is of -512 bytes, up to byte 0, allowed: 0 or more, up to",
    ),
    "size that leads back to the first member": (
        gzip.compress(tar(_PLAIN, ended=False) + _sized(member("b")[0], -1024) + bytes(1024)),
        "'b' is of -1,024 bytes, up to byte 512, allowed: 0 or more, up to",
    ),
    "size beyond all": (
        gzip.compress(_sized(_PLAIN[0], 2**62) + bytes(1024)),
        "'model.ubj' is of 4,611,686,018,427,387,904 bytes, up to byte 4,611,686,018,427,388,416, allowed: 0 or more, "
        "up to 21,474,836,480",
    ),
    "huge header": (
        gzip.compress(_pax_header(b"x" * (2**20 + 1)) + tar(_PLAIN)),
        "has a header of 1,049,088 bytes, allowed: at most 1,048,576",
    ),
    "header of a negative length": (
        gzip.compress(_sized(member("x", type=tarfile.GNUTYPE_LONGNAME)[0], -1024) + tar(_PLAIN)),
        "has a header of -1,024 bytes, allowed: at most",
    ),
    "headers of headers": (
        gzip.compress(_pax_header(b"9 path=a\n") * 5000 + tar(_PLAIN)),
        "is no archive that can be read: RecursionError",
    ),
    "header that cannot be read": (
        gzip.compress(tar(_PLAIN, ended=False) + b"x" * 512 + tar(member("b"))),
        "'model.ubj' or after it: has no end of a tar archive after the last member, allowed: 512 zero bytes",
    ),
    "no end": (gzip.compress(tar(_PLAIN, ended=False)), "has no end of a tar archive after the last member"),
    "second archive after the end": (gzip.compress(tar(_PLAIN) + tar(member("b"))), "has data after its end, allowed"),
    "second archive in a gzip stream of its own": (archive(_PLAIN) + archive(member("b")), "has data after its end"),
    "data after the gzip stream": (archive(_PLAIN) + b"more", "is no archive that can be read: BadGzipFile: Not a gz"),
    "cut short": (archive(member("a", bytes(range(256)) * 400))[:-200], "Compressed file ended before the end"),
    "wrong checksum": (archive(_PLAIN)[:-8] + bytes(8), "is no archive that can be read: BadGzipFile: CRC check"),
    "no file": (archive(member("a", type=tarfile.DIRTYPE)), "has no file, allowed: 1 or more"),
    "nothing": (b"", "is no archive that can be read"),
    "text": (b"no archive", "is no archive that can be read: BadGzipFile: Not a gzipped file"),
    "broken gzip": (b"\x1f\x8b\x08\x00broken", "is no archive that can be read"),
    "tar without gzip": (tar(_PLAIN), "is no archive that can be read: BadGzipFile: Not a gzipped file"),
    "gzip without tar": (gzip.compress(b"model" * 1000), "is no archive that can be read: ReadError"),
}  # fmt: skip


def fuzzed(plain: bytes, number: int) -> bytes:
    """The archive with some of its header's bytes changed, the same ones for the same number."""
    broken = bytearray(plain)
    state = number * 2654435761 % 2**32
    for _ in range(1 + number % 4):
        state = (state * 1664525 + 1013904223) % 2**32
        broken[state % 1536] = state >> 24
    return gzip.compress(bytes(broken), compresslevel=1)
