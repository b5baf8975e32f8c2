#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Process 1 of the guest. Its root is the host's, read-only; /run/job is the host's side of this run:
#   prepare.sh   mounts that only the host knows of      command.sh   what to run
# The guest's output leaves by three virtio-serial ports: 1 stdout, 2 stderr, 3 exit status. What comes in
# by the third goes to the kernel's own keyboard, /proc/sysrq-trigger: the host asks what hangs, or ends the guest.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t debugfs debugfs /sys/kernel/debug
mount -t tmpfs tmpfs /run
mkdir /dev/pts /dev/shm /run/job /run/host
mkdir -m 1777 /run/lock
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
# The tmpfs below hides the host's /tmp: prepare.sh brings back from here what the command needs of it.
mount --bind / /run/host
mount -t tmpfs tmpfs /tmp
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 job /run/job
ip link set lo up
. /run/job/prepare.sh

# A driver of ours or VFIO's is to get the virtual functions, so nothing probes them by itself.
# The controller's own driver probes in the background: until it is there, the write fails.
VFIO_MIGRATE_VFS=
for functions in /sys/bus/pci/devices/*/sriov_numvfs; do
  [ -e "$functions" ] || continue
  export VFIO_MIGRATE_PF="${VFIO_MIGRATE_PF:-$(basename "${functions%/*}")}"
  echo 0 > "${functions%/*}/sriov_drivers_autoprobe"
  tries=0
  until echo "$VFS" > "$functions" || [ $((tries += 1)) -gt 100 ]; do sleep 0.1; done 2> /dev/null
  for link in "${functions%/*}"/virtfn*; do VFIO_MIGRATE_VFS="$VFIO_MIGRATE_VFS $(basename "$(readlink "$link")")"; done
  export VFIO_MIGRATE_VFS="${VFIO_MIGRATE_VFS# }"
done

until set -- /dev/vport*p3 && [ -e "$1" ]; do sleep 0.05; done
port="${1%3}"
exec 8> "${port}1" 9> "${port}2" 7<> "${port}3"

obey_host() {
  while read -r key <&7; do echo "$key" > /proc/sysrq-trigger; done
}
obey_host & obedient=$!

# A port takes 32 KiB a write and answers a short count, which Node does not expect of its stdout:
# the command writes into pipes, and cat carries on.
mkfifo /run/stdout /run/stderr
cat < /run/stdout >&8 & carriers=$!
cat < /run/stderr >&9 & carriers="$carriers $!"
setsid sh /run/job/command.sh < /dev/null > /run/stdout 2> /run/stderr 7>&- 8>&- 9>&- &
wait $!
status=$?

# Something that the command left behind may keep the pipes open: it has a moment to finish.
(sleep 2; kill -9 -1) & patience=$!
wait $carriers
kill $patience 2> /dev/null

printf '\000%s' "$END" >&8
printf '\000%s' "$END" >&9
kill $obedient 2> /dev/null # -1 above may have done so
wait $obedient # a dying reader could still swallow the host's answer
echo "$status" >&7
obey_host
