# In place of grafana/grafana, always: a server that is healthy if it can read its settings and dashboards.
ARG BASE
FROM ${BASE}
RUN install -d -o 472 -g 0 /var/lib/grafana \
    && printf '#!/bin/sh\nexec python /grafana.py\n' > /run.sh \
    && printf '#!/bin/sh\nexec python -c "import sys, urllib.request as r; r.urlopen(sys.argv[-1])" "$@"\n' \
       > /usr/local/bin/wget \
    && chmod +x /run.sh /usr/local/bin/wget
COPY grafana.py /grafana.py
