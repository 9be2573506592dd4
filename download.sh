#!/usr/bin/env bash
# Downloads face crops into data/. Interrupted downloads are resumed; an archive or a folder gets
# its final name only when it is complete.
set -euo pipefail

imdb_wiki=${IMDB_WIKI_URL:-https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/static}
appa_real=${APPA_REAL_URL:-https://data.chalearnlap.cvc.uab.cat/AppaRealAge}
again="run the same command again"
case ${BASH_SOURCE[0]} in */*) folder_of_script=${BASH_SOURCE[0]%/*} ;; *) folder_of_script=. ;; esac
usage="usage: download.sh [imdb | wiki | appa-real] ...

Downloads face crops into data/ in the current folder and unpacks them there:
  imdb       data/imdb_crop.tar, data/imdb_crop/
  wiki       data/wiki_crop.tar, data/wiki_crop/
  appa-real  data/appa-real-release.zip, data/appa-real-release/
Without a name: imdb and wiki. What is already there is not downloaded again; after an
interruption the same command resumes. The archives are kept and may be deleted.

Environment variables, for a mirror:
  IMDB_WIKI_URL  folder of the two .tar files: $imdb_wiki
  APPA_REAL_URL  folder of the .zip file: $appa_real"

say() { echo "$*" >&2; }
fail() { say "download.sh: error: $*" && exit 2; }
need() { command -v "$1" >/dev/null || fail "missing $1: run as root: apt-get install -y $1"; }
size() { stat -c %s "$1" 2>/dev/null || echo 0; }

stop() {
    kill %% 2>/dev/null || true
    say $'\n'"download.sh: stopped: $again to resume" && exit 130
}

# Slow commands run in the background: bash handles signals only when nothing runs in front.
fetch() { # the rest of URL $1 to the end of file $2, which must not exceed $3 KiB
    (
        trap '' XFSZ
        ulimit -f "$3" 2>/dev/null || true # there is a lower limit already
        if [ "$tool" = curl ]; then
            exec curl --fail --location --proto-redir =http,https --continue-at - \
                --connect-timeout 30 --speed-limit 1024 --speed-time 60 --output "$2" \
                --write-out '%{errormsg}' \
                "$([ -t 2 ] && echo --progress-bar || echo --silent)" "$1" >"$log"
        fi
        exec wget --continue --tries=1 --timeout=60 --no-http-keep-alive --output-file="$log" \
            --no-verbose "--$([ -t 2 ] || echo no-)show-progress" --output-document="$2" "$1"
    ) &
    wait $!
}

download() { # URL $1 to file $2, of at most $3 GB, in several tries where the connection breaks
    local held status tool try why most=$(($3 * 1000000))
    tool=$(command -v curl || command -v wget) || need curl
    tool=${tool##*/}
    say "$([ -s "$2" ] && echo resuming || echo downloading) $1"
    for try in 1 2 3 4 5; do
        [ "$try" = 1 ] || sleep 3
        held=$(size "$2") status=0
        fetch "$1" "$2" "$most" || status=$?
        [ -s "$2" ] || rm -f "$2"
        if [ "$(size "$2")" -ge $((most * 1024)) ]; then
            rm "$2" && fail "$1: more than the expected $3 GB came"
        fi
        why=$(tail -n 1 "$log" | sed -E 's/.* ([45][0-9]{2})(:.*)?$/\1/')
        case $tool$status in
            curl0 | wget0) return ;;
            curl22 | wget8) fail "$1: the server answered $why" ;;
            curl23 | wget3) fail "$2 cannot be written: is the disk full?" ;;
            curl33) rm "$2" && say "the server cannot resume: starting over" && continue ;;
        esac
        if [ "$try" = 1 ] && [ "$(size "$2")" = "$held" ]; then
            fail "nothing came from $1 ($why): check the network, then $again"
        fi
        say "the connection broke after $(size "$2") bytes"
    done
    fail "$1: the connection keeps breaking: $again to resume"
}

get() { # the archive $2.$3, of at most $4 GB, from the address $1, and the folder $2 in it
    local folder=data/$2 archive=data/$2.$3 new=data/$2.unpacking status=0
    [ ! -d "$folder" ] || { say "$folder is already there: left alone" && return; }
    need python3
    if [ -f "$archive" ]; then
        say "$archive is already there: not downloaded again"
    else
        download "${1%/}/$2.$3" "$archive.part" "$4"
        mv "$archive.part" "$archive"
    fi
    say "unpacking $archive"
    rm -rf "$new"
    python3 -I "$folder_of_script/tools/unpack.py" "$archive" "$new" "$2" "$4" 2>"$log" &
    wait $! || status=$?
    case $status in
        0) ;;
        3) rm -rf "$new" "$archive" && fail "$archive was removed: $(cat "$log"): $again" ;;
        *) rm -rf "$new" && fail "$archive cannot be unpacked: $(tail -n 1 "$log")" ;;
    esac
    mv "$new/$2" "$folder" && rm -rf "$new"
    say "$folder is ready; $archive may be deleted"
}

for name; do
    case $name in
        -h | --help) echo "$usage" && exit ;;
        imdb | wiki | appa-real) ;;
        *) fail "there is no '$name': give imdb, wiki or appa-real" ;;
    esac
done
mkdir -p data 2>/dev/null || fail "$PWD/data cannot be created"
exec 9<data # a download that survives its killed script still holds this lock
flock -n 9 || { say "waiting for another download.sh that is running in data" && flock 9; } ||
    say "this file system has no locks: do not run this twice at once"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap stop INT TERM HUP
[ $# != 0 ] || set -- imdb wiki
for name; do
    case $name in
        appa-real) get "$appa_real" appa-real-release zip 3 ;;
        imdb) get "$imdb_wiki" imdb_crop tar 12 ;;
        wiki) get "$imdb_wiki" wiki_crop tar 3 ;;
    esac
done
