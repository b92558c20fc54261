#!/usr/bin/env bash
# Makes the conformance cases of a release of ONNX that Debian does not have yet, and prints the folder they are in.
#
#   scripts/onnx_cases.sh [FOLDER]
#
# The release's Python package, from PyPI, has the cases as programs; scripts/onnx_cases.py runs them. FOLDER is
# onnxcnn-onnx in the user's cache folder unless given. A second call finds what the first one made.
set -euo pipefail

version=1.23.2
numpy=2.4.6
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/onnxcnn-onnx}/$version

if ! [ -d "$folder/cases" ]; then
	python=python3
	if /usr/bin/python3 -m pip --version >/dev/null 2>&1; then
		python=/usr/bin/python3
	fi
	rm -rf "$folder"
	mkdir -p "$folder"
	"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-warn-conflicts --target "$folder/python" "onnx==$version" "numpy==$numpy" >&2
	PYTHONPATH=$folder/python "$python" -W ignore "$(dirname "$0")/onnx_cases.py" "$folder/making" >&2
	rm -rf "$folder/python"
	mv "$folder/making" "$folder/cases"
fi
echo "$folder/cases"
