# In place of python:3.11-slim.
FROM waybill-test/debian:bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && ln -s /usr/bin/python3 /usr/local/bin/python
# What this machine trusts: where a proxy speaks TLS in the registry's place, pip needs the proxy's authority.
RUN --mount=type=secret,id=authorities \
    if [ -f /run/secrets/authorities ]; then cp /run/secrets/authorities /etc/ssl/authorities.pem \
    && printf '[global]\ncert = /etc/ssl/authorities.pem\n' > /etc/pip.conf; fi
