#!/usr/bin/env bash
# Two hosts on this machine, as root: network namespaces joined by a link of so many Mbit/s (tc), each
# with its own host name, loopback and sshd, over which mpirun starts the second rank.
#
#   two_hosts.sh speed [MBIT [MS]]   seconds an update, beside what bench/cluster/efficiency.py
#                                    predicts; MS: the link's delay in one direction (needs netem)
#   two_hosts.sh cut                 the link is cut in the middle: how the run ends, and that it resumes
#
# Needs openssh-server, openmpi-bin and build/release/bin/gladius.
set -euo pipefail
cd "$(dirname "$0")/../.."
gladius=$PWD/build/release/bin/gladius
work=$(mktemp -d)

cleanup() {
  local host
  for host in a b; do  # sshd, and what mpirun has left behind
    kill $(ip netns pids gladius-$host 2>/dev/null) 2>/dev/null || true
    ip netns del gladius-$host 2>/dev/null || true
  done
  rm -rf "$work"
}
trap cleanup EXIT

# hosts MBIT [MS]
hosts() {
  local mbit=$1 delay=${2:-0} host
  for host in a b; do ip netns add gladius-$host; done
  ip link add gla netns gladius-a type veth peer name glb netns gladius-b
  ip -n gladius-a addr add 10.77.0.1/24 dev gla
  ip -n gladius-b addr add 10.77.0.2/24 dev glb
  for host in a b; do
    ip -n gladius-$host link set lo up
    ip -n gladius-$host link set gl$host up
    tc -n gladius-$host qdisc add dev gl$host root handle 1: tbf rate "${mbit}mbit" burst 256kb \
      latency 100ms
    [ "$delay" = 0 ] && continue
    if ! tc -n gladius-$host qdisc add dev gl$host parent 1:1 netem delay "${delay}ms" limit 10000; then
      echo "two_hosts.sh: THERE IS NO NETEM IN THIS KERNEL ($(uname -r)), SO A DELAY OF $delay ms" \
        "CANNOT BE HAD HERE; NOTHING WAS MEASURED" >&2
      exit 1
    fi
  done
  ssh-keygen -q -t ed25519 -N '' -f "$work/host"
  ssh-keygen -q -t ed25519 -N '' -f "$work/user"
  mkdir -p /run/sshd
  for host in a b; do
    ip netns exec gladius-$host unshare --uts sh -c "hostname host-$host; exec /usr/sbin/sshd -D -e \
      -h $work/host -f /dev/null -o AuthorizedKeysFile=$work/user.pub -o StrictModes=no \
      -o PermitRootLogin=yes -o PidFile=none" 2>/dev/null &
  done
  printf '10.77.0.1 slots=1\n10.77.0.2 slots=1\n' >"$work/hosts"
}

# run ARGS: two ranks of one thread.
run() {
  local agent="ssh -q -i $work/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
  ip netns exec gladius-a unshare --uts sh -c 'hostname host-a; exec "$@"' sh \
    mpirun --allow-run-as-root -n 2 --hostfile "$work/hosts" --map-by node --bind-to none \
    --mca plm_rsh_agent "$agent" --mca btl self,tcp --mca btl_tcp_if_include 10.77.0.0/24 \
    --mca oob_tcp_if_include 10.77.0.0/24 "$gladius" distill "$work/run.json" --threads 1 \
    --log-level warning "$@"
}

inputs() {
  python3 - "$work" "$1" <<'PY'
import json, random, sys
out, steps = sys.argv[1], int(sys.argv[2])
random.seed(1)
json.dump({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 2000,
           "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 6,
           "num_attention_heads": 4, "num_key_value_heads": 4}, open(f"{out}/student.json", "w"))
with open(f"{out}/data.jsonl", "w") as lines:
    for _ in range(40):
        lines.write(json.dumps({"input_ids": [random.randint(0, 1999) for _ in range(256)]}) + "\n")
json.dump({"student": {"config": "student.json"}, "steps": steps, "data": {"train": "data.jsonl"},
           "gradient_accumulation": 4, "checkpoint_every": 8, "log_every": 1000,
           "cluster": {"timeout_s": 5}}, open(f"{out}/run.json", "w"))
PY
}

# seconds_an_update RUN [UPDATES]: mean seconds, the first UPDATES (1) left out.
seconds_an_update() {
  python3 - "$1" "${2:-1}" <<'PY'
import json, sys
lines, left_out = [json.loads(line) for line in open(sys.argv[1] + "/metrics.jsonl")], int(sys.argv[2])
seconds = lines[-1]["elapsed_s"] - lines[4 * left_out - 1]["elapsed_s"]
print(f"{seconds / (len(lines) / 4 - left_out):.3f}")
PY
}

case ${1:-} in
speed)
  mbit=${2:-100}
  hosts "$mbit" "${3:-0}"
  inputs 24
  "$gladius" distill "$work/run.json" --threads 1 --log-level warning --out "$work/one" >/dev/null
  run --out "$work/two" >/dev/null
  run --out "$work/bf16" --set cluster.compress=bf16 >/dev/null
  run --out "$work/local" --set cluster.local_updates=3 >/dev/null
  one=$(seconds_an_update "$work/one")
  parameters=$("$gladius" inspect "$work/one/model" --json |
    python3 -c 'import json,sys; print(json.load(sys.stdin)["parameters"])')
  predict() {
    python3 bench/cluster/efficiency.py --parameters "$parameters" --embedding 512000 --mbit "$mbit" \
      --micro-batches 4 --optimizer 0 --step "$(python3 -c "print($one / 4)")" "$@"
  }
  echo "$parameters parameters, one process: $one s an update"
  echo "two hosts, $mbit Mbit/s: $(seconds_an_update "$work/two") s, predicted $(predict)"
  echo "the same, bf16: $(seconds_an_update "$work/bf16") s, predicted $(predict --bytes 2)"
  echo "the same, cluster.local_updates 3: $(seconds_an_update "$work/local" 3) s," \
    "predicted $(predict --local-updates 3)"
  ;;
cut)
  hosts 1000
  inputs 400
  run --out "$work/run" >/dev/null 2>"$work/err" &
  pid=$!
  while ! grep -qs '"checkpoint at' "$work/run/timeline.jsonl"; do sleep 0.1; done
  ip -n gladius-b link set glb down
  start=$(date +%s.%N)
  since_cut() { python3 -c "import time; print(f'{time.time() - $start:.1f}')"; }
  ranks() { pgrep -f "^$gladius distill $work/run.json" || true; }
  while [ -n "$(ranks)" ]; do
    python3 -c "import sys; sys.exit($(since_cut) > 20)" ||
      { echo "two_hosts.sh: ranks are left 20 s after the cut: $(ranks)" >&2; exit 1; }
    sleep 0.1
  done
  echo "all ranks ended $(since_cut) s after the cut (cluster.timeout_s 5):"
  grep 'gladius: error' "$work/err"
  # mpirun waits for the other machine to tell how its rank has ended.
  ip -n gladius-b link set glb up
  wait $pid && echo "two_hosts.sh: the run has not noticed" >&2 && exit 1
  echo "mpirun ended $(since_cut) s after the cut, when the link was there again"
  sleep 1
  run --out "$work/run" --resume --set steps=120 >/dev/null
  run --out "$work/whole" --set steps=120 >/dev/null
  cmp "$work/run/model/model.safetensors" "$work/whole/model/model.safetensors"
  echo "resumed to the same weights as a run that was not cut:" \
    "$(sha256sum <"$work/run/model/model.safetensors" | cut -c1-16)..."
  ;;
*)
  sed -n '2,10s/^# \{0,1\}//p' "$0"
  exit 2
  ;;
esac
