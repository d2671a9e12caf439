"""Choose the recordings held out of training, by speaker, and write heldout.tsv.

    python3 split.py CORPUS [--audio FOLDER] [--output heldout.tsv]

CORPUS holds index.tsv; FOLDER holds the extracted recordings (CORPUS by default). Needs opusdec on the path.

The choice depends on nothing but the index, the recordings and SALT: candidates are taken in the order of a salted
hash of their speaker, so any Python on any machine writes the same file. A held-out speaker is held out altogether:
`training_rows` leaves out every file of that speaker, not only the one listed.
"""

import argparse
import array
import csv
import hashlib
import math
import os
import subprocess
import sys
import tempfile
import wave

SALT = "tessera-heldout-1"
RATE = 24000
MIN_SECONDS, MAX_SECONDS = 2.5, 9.0
WIDE_BAND_HZ = 9000
COLUMNS = ["set", "path", "source", "speaker", "language", "seconds", "licence"]
HERE = os.path.dirname(os.path.abspath(__file__))

# source, recordings for each set, most files a held-out speaker may have (so that little training data is lost)
QUOTAS = [("commonvoice61", 28, 3), ("speechocean762", 2, 8), ("commonvoice-en-delta", 2, 3)]


def read_table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def person(row):
    """Common Voice ids are language-hash: one person may have recorded several languages under one hash."""
    if row["source"].startswith("commonvoice"):
        return "commonvoice:" + row["speaker"].rsplit("-", 1)[-1]
    return row["source"] + ":" + row["speaker"]


def training_rows(index, heldout):
    """Rows of the index that may be trained on: no file of any held-out person."""
    held = {person(row) for row in heldout}
    return [row for row in index if person(row) not in held]


def order(text):
    return hashlib.sha256(f"{SALT}/{text}".encode()).hexdigest()


def decode(path):
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "a.wav")
        subprocess.run(["opusdec", "--quiet", "--rate", str(RATE), path, target], check=True, capture_output=True)
        with wave.open(target) as file:
            return array.array("h", file.readframes(file.getnframes()))


def fault(samples):
    """The reason why a recording is unfit for scoring, or None."""
    peak = max(abs(sample) for sample in samples)
    if peak < 0.1 * 32768:
        return "quiet"
    # Opus blurs hard clipping, but a clipped recording still spends many samples just under its peak.
    if sum(abs(sample) > 0.95 * peak for sample in samples) > 0.003 * len(samples):
        return "clipped"
    size = RATE // 50
    frames = [samples[at:at + size] for at in range(0, len(samples) - size + 1, size)]
    levels = [10 * math.log10(sum(s * s for s in frame) / size / 32768**2 + 1e-12) for frame in frames]
    ranked = sorted(levels)
    loud, floor = ranked[int(0.95 * len(ranked))], ranked[int(0.1 * len(ranked))]
    if loud < -32:
        return "quiet"
    if loud - floor < 20:
        return "noisy"
    if sum(level > loud - 25 for level in levels) < 0.4 * len(levels):
        return "little speech"
    return None


def candidates(rows, source, most_files):
    files = {}
    for row in rows:
        files.setdefault(person(row), []).append(row)
    found = [
        row
        for row in rows
        if row["source"] == source
        and len(files[person(row)]) <= most_files
        and MIN_SECONDS <= float(row["seconds"]) <= MAX_SECONDS
    ]
    return sorted(found, key=lambda row: order(row["path"]))


def choose(index, audio):
    chosen, taken = [], set()

    def take(name, pool):
        for row in pool:
            if person(row) in taken:
                continue
            reason = fault(decode(os.path.join(audio, row["path"])))
            if reason:
                print(f"passed over {row['path']}: {reason}", file=sys.stderr)
                continue
            taken.add(person(row))
            chosen.append({"set": name, **{column: row[column] for column in COLUMNS[1:]}})
            return True
        return False

    for source, count, most_files in QUOTAS:
        pool = candidates(index, source, most_files)
        languages = sorted({row["language"] for row in pool}, key=order)
        for number, name in enumerate(["test", "validation"]):
            # Test takes its languages from the front of the order and validation from the back, one speaker a language
            # as long as there are languages enough.
            ring = languages if number == 0 else languages[::-1]
            filled = place = 0
            while filled < count:
                language = ring[place % len(ring)]
                of_language = [row for row in pool if row["language"] == language]
                if place % 2 == 0:  # every second pick insists on wide-band speech where the language has any
                    wide = [row for row in of_language if float(row["true_bandwidth_hz"]) >= WIDE_BAND_HZ]
                    of_language = wide + [row for row in of_language if row not in wide]
                filled += take(name, of_language)
                place += 1
                if place > 10 * count:
                    raise SystemExit(f"{source}: too few fit recordings for {name}")
    return sorted(chosen, key=lambda row: (row["set"], row["path"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", help="folder with index.tsv")
    parser.add_argument("--audio", help="folder with the extracted recordings (default: the corpus folder)")
    parser.add_argument("--output", default=os.path.join(HERE, "heldout.tsv"))
    arguments = parser.parse_args()
    index = read_table(os.path.join(arguments.corpus, "index.tsv"))
    heldout = choose(index, arguments.audio or arguments.corpus)
    with open(arguments.output, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(heldout)
    left = training_rows(index, heldout)
    hours = [sum(float(row["seconds"]) for row in rows) / 3600 for rows in (heldout, left, index)]
    print(f"{len(heldout)} recordings held out ({hours[0]:.3f} h); {len(left)} of {len(index)} files remain for "
          f"training ({hours[1]:.2f} of {hours[2]:.2f} h)")


if __name__ == "__main__":
    main()
