#!/bin/sh
# Makes the fleet of compose.yaml once: its root, two seeds and one configuration for all nodes. Here every key lies in
# one volume; in earnest the root key and the publisher's never come to a host of the fleet (docs/operations.md).
set -eu
cd "${FLEET:-/fleet}"
# That file is written last, and no node starts before this ends well.
if [ -e seed-2/seed.yaml ]; then rm -f .making; exit 0; fi
if [ -e .making ]; then
  # What an interrupted run left: no node has run with it.
  rm -rf seed-1 seed-2
elif [ -e seed-1 ] || [ -e seed-2 ]; then
  echo "make-fleet: $PWD holds a part of a fleet that may have run, with keys that are nowhere else; put back what was taken out of it, or remove seed-1 and seed-2 for a new fleet" >&2
  exit 1
fi
: > .making
confmesh init seed-1 --fleet compose --host seed-1 --channel 'demo/*'
confmesh add-seed seed-2 --from seed-1/seed.yaml --host seed-2 --root seed-1/root.json --root-key seed-1/root-1.key
rm .making
