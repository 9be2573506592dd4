# The commands in a container, the shipped weights inside; nothing is downloaded when it runs.
# docs/docker.md has the commands for folders, cameras and windows.
ARG BASE=python:3.12-slim
FROM ${BASE}

# libraries of OpenCV's windows; the check reads requirements of the system only
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 libsm6 \
    && rm -rf /var/lib/apt/lists/*
COPY tools/check_system.py /src/tools/
RUN python /src/tools/check_system.py

# requirements.txt adds what training needs: TensorFlow, in the build without GPUs, which is half as
# large (x86-64 alone has two builds). Its headers, for compiling extensions, go.
ARG REQUIREMENTS=requirements-run.txt
COPY requirements-run.txt requirements.txt /src/
RUN if [ "$(uname -m)" = x86_64 ]; then \
        sed -i 's/^tensorflow==/tensorflow-cpu==/' /src/requirements.txt; \
    fi \
    && pip install --no-cache-dir --use-pep517 -r "/src/$REQUIREMENTS" \
    && rm -rf "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/tensorflow/include"

COPY . /src/
RUN pip install --no-cache-dir --no-deps /src && rm -r /src

# Any user id works, also one without an entry in /etc/passwd: what libraries cache goes to /tmp.
# Qt's shared memory with the X server does not reach out of a container.
ENV HOME=/tmp QT_X11_NO_MITSHM=1
RUN useradd --no-create-home faces && mkdir --mode=1777 /data
USER faces
WORKDIR /data
CMD ["age-gender-demo", "--help"]
