"""The disk of PostgreSQL fills up under load, is freed, and fills up again; a backup meets a full disk too.

    sudo python3 dev.py run tools/storms/disk_full.py --rounds 3

A small file system in memory stands for the disk: it takes root to mount one (code 2 without). While it is
full, whoever clicks is told to come back; with room again, everything goes on, and nobody repairs anything.
"""

import argparse
import os
import sys
import time

from tools.dev.checkout import Trouble
from tools.storms import FOLDER, proof
from tools.storms.load import Crowd
from tools.storms.stage import SmallDisk, Stage

DISK_MB, BACKUP_DISK_MB = 260, 1
FULL_SECONDS = 6
RECOVERY_LIMIT = 90


def main(words):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args(words)
    if os.geteuid() != 0:
        print("Cannot here: mounting a small disk takes root.")
        return 2
    try:
        disk, backups = SmallDisk("disk", DISK_MB), SmallDisk("backups", BACKUP_DISK_MB)
    except Trouble as trouble:
        print(f"Cannot here: {trouble}")
        return 2
    with disk, backups, Stage(postgres_folder=disk.path / "postgres") as stage:
        return storm(stage, disk, backups, options.rounds)


def storm(stage, disk, backups, rounds):
    stage.start_everything()
    stage.wait_for("worker")
    recoveries = []
    with Crowd(stage) as crowd:
        for _number in range(rounds):
            crowd.leave_overdue(2)
            time.sleep(2)
            later = crowd.memory.statuses[503]
            disk.fill()
            time.sleep(FULL_SECONDS)
            later = crowd.memory.statuses[503] - later
            freed = time.monotonic()
            disk.free()
            ended = stage.restart_what_ended(
                "postgres"
            )  # out of room for its journal, PostgreSQL ends itself
            healed = time.monotonic() + 0.2
            while crowd.memory.last_at < healed and time.monotonic() - freed < RECOVERY_LIMIT:
                ended = stage.restart_what_ended("postgres") or ended
                time.sleep(0.1)
            if crowd.memory.last_at < healed:
                crowd.memory.breach(f"nothing was answered within {RECOVERY_LIMIT} s of freeing the disk")
                break
            recoveries.append(crowd.memory.last_at - freed)
            print(
                f"  full {FULL_SECONDS} s: {later} clicks told to come back"
                f"{', PostgreSQL had ended and was started again' if ended else ''}; "
                f"answers again {recoveries[-1]:.2f} s after room was made",
                flush=True,
            )
            if not later:
                crowd.memory.breach("the disk was full and nobody noticed: this round proves nothing")
        crowd.memory.breaches += backup_meets_a_full_disk(stage, backups)
    calm = proof.wait_for_calm()
    found = proof.breaches(stage, crowd.memory)
    code = proof.tell(stage, crowd.memory, found, blows=rounds)
    print(f"  recovery               {proof.spread(recoveries)}; calm {calm:.1f} s after the end")
    return code


def backup_meets_a_full_disk(stage, backups):
    """It must say so and leave nothing behind; with room, it works."""
    backups.fill()
    code, said = stage.try_to_manage("backup", backups.path)
    left = [path.name for path in backups.path.iterdir() if path.is_dir()]
    backups.free()
    print(
        f"  backup on a full disk: code {code}, « {said.strip().splitlines()[-1][:90]} », left behind: {left}"
    )
    if code == 0 or left or "Traceback" in said:
        yield f"a backup on a full disk ended with {code} and left {left}: {said[-300:]}"
    code, said = stage.try_to_manage("backup", FOLDER / "kept")
    if code:
        yield f"a backup with room failed: {said[-300:]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
