#!/bin/sh
# Removes from the image's packages what no role runs: tests, headers, static libraries, parts of Arrow and LiteLLM.
set -eu
cd "${1:-/opt/waybill}"/lib/python3*/site-packages

for package in numpy pyarrow scipy sklearn pandas sqlalchemy networkx; do
    if [ -d "$package" ]; then find "$package" -type d -name tests -prune -exec rm -rf {} +; fi
done
find . -type f \( -name '*.a' -o -name '*.pyi' -o -name '*.pxd' \) -delete
rm -rf pyarrow/include numpy/_core/include torch/include torch/test torch/bin/test_* torch/bin/protoc* torch/share
# Flight, Substrait and Arrow's own S3: files behind URLs are read with fsspec and obstore.
rm -rf pyarrow/*flight* pyarrow/*substrait* pyarrow/libarrow_s3* pyarrow/_s3fs*
# the pages and the documentation of LiteLLM's own server, which is not run
rm -rf litellm/proxy/_experimental/out litellm/proxy/swagger
