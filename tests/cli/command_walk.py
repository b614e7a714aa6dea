"""Runs every command in one process and says how each ended; see test_storage_faults.py."""

import contextlib
import io
import json
import os
import sys
import traceback

from recsys.cli.app import main
from tests.cli.test_commands_documented import COMMANDS

NEEDS = {  # arguments of commands that need some
    "data import": ["--mapping", "shop.toml", "--source", "files"],
    "features show": ["ranking_v1"],
    "encoder images": ["items.csv", "--encoder", "clip"],
    "encoder compare": ["minilm"],
    "encoder distil": ["--student", "student"],
    "encoder prepare": ["minilm"],
    "models show": ["nothing"],
    "models card": ["nothing"],
    "models compare": ["nothing", "another"],
    "models promote": ["nothing"],
    **{f"search rules {name}": ["nothing"] for name in ("show", "remove", "enable", "disable")},
    **{f"search synonyms {name}": ["nothing"] for name in ("remove", "enable", "disable")},
    **{f"search {group} export": ["out.toml"] for group in ("rules", "synonyms")},
    "search segments remove": ["nothing"],
    "ads account create": ["acme", "--time-zone", "UTC"],
    "ads account edit": ["nothing", "--name", "acme"],
    **{f"ads account {name}": ["nothing"] for name in ("show", "history", "own-users list")},
    **{f"ads account own-users {name}": ["nothing", "u1"] for name in ("add", "remove")},
    **{f"ads account {name}": ["nothing", "1.00", "--reference", "7"] for name in ("top-up", "credit")},
    **{f"ads ledger {name}": ["click:nothing"] for name in ("refund", "write-off")},
    "ads campaign report": ["nothing"],
    "size": ["--items", "1000", "--users", "1000", "--events", "20000"],
    "ads simulate": ["--days", "1", "--auctions", "200"],
    "ads campaign create": ["--account", "acme", "--bid", "0.40", "--items", "1"],
    "ads campaign edit": ["nothing", "--name", "spring"],
    **{
        f"ads campaign {name}": ["nothing"]
        for name in ("show", "pause", "resume", "archive", "review", "why-not", "history")
    },
}


def run(name: str) -> dict[str, object]:
    """The exit code and the output of a command; `traceback` where it ended with one."""
    sys.argv = ["recsys", *name.split(), *NEEDS.get(name, [])]
    code, trace = 0, ""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main()
        except SystemExit as ending:
            code = int(ending.code or 0)
        except BaseException:
            trace = traceback.format_exc()
    return {"name": name, "code": code, "out": out.getvalue(), "err": err.getvalue(), "traceback": trace}


if __name__ == "__main__":
    for each in sys.argv[1:] or sorted(COMMANDS):
        print(json.dumps(run(each)), file=sys.__stdout__, flush=True)
    os._exit(0)
