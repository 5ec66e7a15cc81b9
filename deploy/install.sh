#!/bin/sh
# Installs packages into the image from the files that were checked: `install.sh EXTRAS`, or `install.sh --common` for what
# all roles need. Bytecode is made of what a role imports when it starts; that of all modules would be 250 MB.
set -eu
extras=$1
venv=/opt/waybill

pip() { /opt/pip/bin/pip --python "$venv/bin/python" "$@"; }

wanted=waybill
[ "$extras" = --common ] || [ -z "$extras" ] || wanted="waybill[$extras]"
pip install --no-cache-dir --no-compile --no-index --find-links /wheels --find-links /torch \
    --constraint /src/requirements.lock "$wanted"

# Roles that read no table have no Arrow, and those that compute nothing no numpy.
case $extras in
    --common | dispatch | flower) pip uninstall --yes numpy pyarrow ;;
    embed | route) pip uninstall --yes pyarrow ;;
esac

# torch names it for compiling extensions, which nothing does here
pip uninstall --yes setuptools 2> /dev/null
sh /src/prune.sh "$venv"
"$venv/bin/python" /src/precompile.py "$extras"
