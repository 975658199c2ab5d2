#!/bin/sh
# Removes one row of the table after the other and expects a test to fail each time.
# Usage: each_row_is_needed.sh UNIT_MACHINE ROWS
program=$1
rows=$2
needless=0
row=0
while [ "$row" -lt "$rows" ]; do
  out=$(FIREBREAK_WITHOUT_ROW=$row "$program" --gtest_brief=1 --gtest_filter=-TheTable.*:TheSearch.* 2>&1)
  if [ $? -eq 0 ]; then
    echo "row $row can be removed and every test still passes"
    needless=$((needless + 1))
  else
    echo "row $row: $(echo "$out" | sed -n 's/^\[  FAILED  \] \([A-Za-z.0-9]*\).*/\1/p' | head -n 1)"
  fi
  row=$((row + 1))
done
echo "$rows rows removed one by one, $needless of them needless"
[ "$needless" -eq 0 ] && [ "$rows" -gt 0 ]
