#!/usr/bin/env bash
# Fetches the ONNX Runtime library that tests and benchmarks compare with, and prints where it lies.
#
#   scripts/get_ort.sh [FOLDER]
#
# The library comes in the npm package onnxruntime-node, which carries it ready to load; none of the package's scripts
# is run. FOLDER is onnxcnn-ort in the user's cache folder unless given. A second call finds what the first one fetched.
set -euo pipefail

version=1.30.0
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/onnxcnn-ort}

case "$(uname -s)/$(uname -m)" in
Linux/x86_64) platform=linux/x64 library=libonnxruntime.so.1 ;;
Linux/aarch64) platform=linux/arm64 library=libonnxruntime.so.1 ;;
Darwin/arm64) platform=darwin/arm64 library=libonnxruntime.$version.dylib ;;
*)
	echo "get_ort.sh: onnxruntime-node $version has no library for $(uname -s) on $(uname -m)" >&2
	exit 1
	;;
esac

package=$folder/node_modules/onnxruntime-node
path=$package/bin/napi-v6/$platform/$library

if ! [ -f "$path" ] || ! grep -q "\"version\": \"$version\"" "$package/package.json"; then
	if ! command -v npm >/dev/null; then
		echo "get_ort.sh: npm is needed to fetch ONNX Runtime, and is not installed" >&2
		exit 1
	fi
	mkdir -p "$folder"
	npm install --prefix "$folder" --no-save --no-audit --no-fund --loglevel=error --ignore-scripts \
		"onnxruntime-node@$version" >&2
fi
if ! [ -f "$path" ]; then
	echo "get_ort.sh: $path is not in onnxruntime-node $version" >&2
	exit 1
fi
echo "$path"
