#!/bin/sh
# Removes from the image's packages what no role runs: tests, headers, static libraries, parts of Arrow and LiteLLM.
set -eu
cd "${1:-/opt/waybill}"/lib/python3*/site-packages

for package in numpy pyarrow scipy sklearn pandas sqlalchemy networkx sympy mpmath; do
    if [ -d "$package" ]; then find "$package" -type d -name tests -prune -exec rm -rf {} +; fi
done
find . -type f \( -name '*.a' -o -name '*.pyi' -o -name '*.pxd' \) -delete
rm -rf pyarrow/include numpy/_core/include torch/include torch/test torch/bin/test_* torch/bin/protoc* torch/share
# Flight and Arrow's own S3: files behind URLs are read with fsspec and obstore.
rm -rf pyarrow/*flight* pyarrow/libarrow_s3* pyarrow/_s3fs*
# the pages and the documentation of LiteLLM's own server, which is not run
rm -rf litellm/proxy/_experimental/out litellm/proxy/swagger
# AWS: the descriptions of the services by which Bedrock and SageMaker are reached; other providers need none
if [ -d botocore/data ]; then
    find botocore/data -mindepth 1 -maxdepth 1 -type d ! -name 'bedrock*' ! -name 'sagemaker-runtime' ! -name 'sts' \
        ! -name 'sso*' ! -name 's3' -exec rm -rf {} +
fi
# models come from the image or from a folder, never from a hub
rm -rf hf_xet
# torch's symbols, which only debuggers read
if [ -x /tools/bin/strip ] && [ -d torch/lib ]; then
    LD_LIBRARY_PATH=$(echo /tools/lib/*-linux-gnu) /tools/bin/strip --strip-unneeded torch/lib/libtorch*.so
fi
