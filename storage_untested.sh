#!/bin/bash
# main's list of untested modules plus the given ones that have no test yet
cd /tmp/w/storage
git show main:tests/architecture/untested.txt > tests/architecture/untested.txt
for m in "$@"; do t=tests/unit/$(dirname $m)/test_$(basename $m); if [ -f python/mastra/$m ] && [ ! -f $t ] && ! grep -qx $m tests/architecture/untested.txt; then echo $m >> tests/architecture/untested.txt; fi; done
for m in $(cat tests/architecture/untested.txt); do t=tests/unit/$(dirname $m)/test_$(basename $m); [ -f $t ] && sed -i "\#^$m\$#d" tests/architecture/untested.txt; done
true
