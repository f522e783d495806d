#!/bin/sh
# Makes the fleet of compose.yaml once: its root, two seeds and one configuration for all nodes. Here every key lies in
# one volume; in earnest the root key and the publisher's never come to a host of the fleet (docs/operations.md).
set -eu
cd "${FLEET:-/fleet}"
if [ -e seed-2/seed.yaml ]; then exit 0; fi
# What an interrupted run left: that file is written last, and no node starts before this ends well.
rm -rf seed-1 seed-2
confmesh init seed-1 --fleet compose --host seed-1 --channel 'demo/*'
confmesh add-seed seed-2 --from seed-1/seed.yaml --host seed-2 --root seed-1/root.json --root-key seed-1/root-1.key
