"""The exercise: the demonstration is backed up while people work in it, and restored into an empty database.

    python3 dev.py run tools/storms/drill.py

Rows counted in the snapshot must be the rows restored, the ledger right, every file there. A backup that was
changed by one byte must be refused, and a database that is not empty left alone.
"""

import argparse
import sys
import time

from tools.storms import FOLDER, proof
from tools.storms.load import Crowd
from tools.storms.stage import Stage

WORK_SECONDS = 3


def main(words):
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(words)
    with Stage() as stage:
        return drill(stage)


def drill(stage):
    stage.manage("load_towns")
    stage.manage("load_demo")
    stage.start("web")
    stage.wait_for("web")
    media = FOLDER / "media" / "papers"
    media.mkdir(parents=True)
    for number in range(20):
        (media / f"{number}.pdf").write_bytes(b"%PDF-1.7 " + bytes([number]) * 50_000)
    kept = FOLDER / "kept"
    with Crowd(stage, clients=2) as crowd:
        time.sleep(WORK_SECONDS)
        before = len(crowd.memory.acknowledged)
        begun = time.monotonic()
        print(stage.manage("backup", kept), end="")
        took = time.monotonic() - begun
        meanwhile = len(crowd.memory.acknowledged) - before
        print(f"  backup took {took:.1f} s; {meanwhile} changes were made meanwhile")
    [backup] = kept.iterdir()
    found = list(crowd.memory.breaches)
    begun = time.monotonic()
    code, said = stage.try_to_manage("restore", "--drill", backup)
    print(said, end="")
    print(f"  exercise took {time.monotonic() - begun:.1f} s")
    if code:
        found.append("the exercise failed")
    code, said = stage.try_to_manage("restore", backup)
    if code == 0 or "pas vide" not in said:
        found.append("a database that is not empty was not left alone")
    dump = backup / "database.dump"
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)
    code, said = stage.try_to_manage("restore", "--drill", backup)
    if code == 0 or "empreinte" not in said:
        found.append("a backup changed by one bit was not refused")
    if proof.drill_databases():
        found.append("the exercise left its database behind")
    for words in found:
        print(f"  BREACH: {words}")
    print(f"{len(found)} breaches" if found else "Every promise was kept.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
