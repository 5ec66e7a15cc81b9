#!/bin/sh
# Builds a Kubernetes for tests from Debian's sources, where no registry and no release can be reached: build.sh DIR
# Debian 12 as root: apt-get install golang-1.19-go etcd-server rsync. About 15 minutes of two cores.
set -eu
mkdir -p "$1"
folder=$(realpath "$1")
mkdir -p "$folder/lists/partial" "$folder/home"
cd "$folder"
echo 'deb-src http://deb.debian.org/debian bookworm main' > sources.list
apt="apt-get -o Dir::Etc::sourcelist=$folder/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$folder/lists"
$apt update
$apt source --download-only kubernetes
mkdir -p source
tar --extract --file kubernetes_*.orig.tar.gz --directory source --strip-components 1
cd source

# A sandbox without CAP_SYS_RESOURCE may not lower oom_score_adj.
sed -i 's/KubeletOOMScoreAdj int = -999/KubeletOOMScoreAdj int = 0/; s/return guaranteedOOMScoreAdj/return 2/' pkg/kubelet/qos/policy.go
sed -i 's/defaultSandboxOOMAdj int = -998/defaultSandboxOOMAdj int = 0/' pkg/kubelet/dockershim/docker_sandbox.go

mkdir -p .go/src/k8s.io
ln -sfn ../../.. .go/src/k8s.io/kubernetes
export PATH="/usr/lib/go-1.19/bin:$PATH" GOPATH="$PWD/.go" CGO_ENABLED=0 HOME="$folder/home" GOFLAGS=-mod=vendor
export KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_COMMIT=faecb196815e248d3ecfb03c680a4507229c2a56
export KUBE_GIT_TREE_STATE=clean KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20
make WHAT="cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler cmd/kubelet"
