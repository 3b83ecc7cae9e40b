# Sourced by .ci/run: a container engine with the images that tests start from. Whatever is missing for it is a reason to
# leave the tests with containers out, never a failure: it says nothing about the sources.

# Half an hour is the bound for all of a run. The other two were taken on two processors with not one image made before;
# once they are made, both together are about five minutes.
LIMIT_S=1740
IMAGES_S=${IMAGES_S:-190}
TESTS_S=${TESTS_S:-510}
pidfile=${DOCKER_PIDFILE:-/var/run/docker.pid}
left_out=
own_engine=

# A script beside the clone may make an engine answer, and makes the base images where no registry can be reached.
beside=../shared/containers/up
if [ -z "${BANYAN_CONTAINERS_UP:-}" ] && [ -x "$beside" ]; then BANYAN_CONTAINERS_UP=$(realpath "$beside"); fi
export BANYAN_CONTAINERS_UP=${BANYAN_CONTAINERS_UP:-}

# Otherwise $left_out says what is missing.
find_engine() {
  in_time $((LIMIT_S - IMAGES_S - TESTS_S)) || return
  if [ -n "$BANYAN_CONTAINERS_UP" ]; then
    echo "== $BANYAN_CONTAINERS_UP"
    engine_answers || own_engine=yes
    timeout $((LIMIT_S - TESTS_S - SECONDS)) "$BANYAN_CONTAINERS_UP" || { left_out="$BANYAN_CONTAINERS_UP ended with $?"; return 1; }
    # Whether a build reaches the registries from the engine's own network is not known; from the machine's it does.
    export BANYAN_BUILD_NETWORK=${BANYAN_BUILD_NETWORK:-host}
  fi
  engine_answers || { left_out='no container engine answers'; return 1; }
  npm ping >/dev/null 2>&1 || { left_out='the npm registry, which images are built from, does not answer'; return 1; }
  for image in $(base_images); do
    docker image inspect "$image" >/dev/null 2>&1 || timeout 300 docker pull --quiet "$image" ||
      { left_out="$image is not here and cannot be had"; return 1; }
  done
  in_time $((LIMIT_S - TESTS_S))
}

in_time() {
  [ "$SECONDS" -lt "$1" ] && return
  left_out="$SECONDS s have passed, and after $1 s it could take longer than the $LIMIT_S s that all of this may"
  return 1
}

engine_answers() { timeout 10 docker info >/dev/null 2>&1; }

base_images() {
  { sed -nE 's/^FROM ([^ ]+).*/\1/p' Dockerfile; sed -nE 's/^ +image: ([^$]+)$/\1/p' compose/infra.yaml compose/changes/*.yaml; } | sort -u
}

# An engine that was there before is somebody else's.
stop_own_engine() {
  [ -n "$own_engine" ] || return 0
  local engine
  engine=$(cat "$pidfile" 2>/dev/null) || return 0
  kill "$engine" 2>/dev/null
  for _ in $(seq 300); do
    # One that nobody has fetched from the table of processes has ended as well.
    case $(ps -o stat= -p "$engine") in '' | Z*) return 0 ;; esac
    sleep 0.2
  done
  echo "the container engine that was started here does not stop: process $engine"
}
