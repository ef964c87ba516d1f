#!/usr/bin/env bash
# A real Slurm of one node on this machine, for the test of the slurm profile. Debian and Ubuntu, as root:
#   apt-get install slurm-wlm munge && tests/workflow/start_slurm.sh FOLDER
# Daemons listen on loopback and keep their state, logs and process ids in FOLDER; `stop` as second argument ends them.
# Prints the path of slurm.conf: export it as SLURM_CONF.
set -euo pipefail
folder=$(realpath -m "${1:?usage: start_slurm.sh FOLDER [stop]}")

if [ "${2:-start}" = stop ]; then
  for name in slurmd slurmctld munged; do
    [ -f "$folder/$name.pid" ] && kill "$(cat "$folder/$name.pid")" 2>/dev/null || true
  done
  [ "$(readlink /etc/slurm/slurm.conf)" = "$folder/slurm.conf" ] && rm /etc/slurm/slurm.conf
  exit 0
fi

for name in munged slurmctld slurmd sbatch; do
  command -v "$name" >/dev/null || { echo "error: $name not found; install it: apt-get install slurm-wlm munge" >&2; exit 1; }
done
mkdir -p "$folder"/{state,spool}
chmod 755 "$folder"

# munged refuses folders that others could write to; its socket must be reachable by name alone.
mkdir -p /run/munge && chown munge: /run/munge && chmod 755 /run/munge
if ! munge -n >/dev/null 2>&1; then
  [ -s /etc/munge/munge.key ] || { dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 status=none; chown munge: /etc/munge/munge.key; chmod 400 /etc/munge/munge.key; }
  mkdir -p /var/log/munge /var/lib/munge && chown munge: /var/log/munge /var/lib/munge
  setpriv --reuid=munge --regid=munge --clear-groups munged --pid-file=/run/munge/munged.pid
  cp /run/munge/munged.pid "$folder/munged.pid"
fi

host=$(hostname -s)
cores=$(nproc)
memory=$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) / 1024 - 512))
cat > "$folder/slurm.conf" <<EOF
ClusterName=ecgwas
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=/run/munge/munge.socket.2
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
# Jobs that have ended stay visible to squeue this many seconds: there is no accounting to ask.
MinJobAge=600
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
EOF
export SLURM_CONF=$folder/slurm.conf
# Jobs do not inherit SLURM_CONF from the executor: their srun looks where Slurm looks by itself.
mkdir -p /etc/slurm && [ ! -e /etc/slurm/slurm.conf ] && ln -s "$SLURM_CONF" /etc/slurm/slurm.conf
slurmctld
slurmd
for _ in $(seq 60); do
  sinfo --noheader --format=%t 2>/dev/null | grep -q idle && { echo "$SLURM_CONF"; exit 0; }
  sleep 1
done
echo "error: the node did not come up; see $folder/slurmctld.log and $folder/slurmd.log" >&2
exit 1
