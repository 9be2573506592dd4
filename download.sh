#!/usr/bin/env bash
# Downloads face crops into data/. What broke off is resumed, and an archive or a folder has its
# name only when it is whole.
set -euo pipefail

imdb_wiki=${IMDB_WIKI_URL:-https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/static}
appa_real=${APPA_REAL_URL:-https://data.chalearnlap.cvc.uab.cat/AppaRealAge}
again="run the same command again"
usage="usage: download.sh [imdb | wiki | appa-real] ...

Downloads face crops into data/ in the current folder and unpacks them there:
  imdb       data/imdb_crop.tar, data/imdb_crop/
  wiki       data/wiki_crop.tar, data/wiki_crop/
  appa-real  data/appa-real-release.zip, data/appa-real-release/
Without a name: imdb and wiki. What is there already is not fetched again, and after an
interruption the same command goes on. The archives are kept; they may be deleted.

Environment variables, for a mirror:
  IMDB_WIKI_URL  where the two .tar are: $imdb_wiki
  APPA_REAL_URL  where the .zip is: $appa_real"

say() { echo "$*" >&2; }
fail() { say "download.sh: error: $*" && exit 2; }
need() { command -v "$1" >/dev/null || fail "missing $1: run as root: apt-get install -y $1"; }
size() { stat -c %s "$1" 2>/dev/null || echo 0; }

stop() {
    kill %% 2>/dev/null || true
    say $'\n'"download.sh: stopped: $again to go on" && exit 130
}

# What takes long runs in the background: bash heeds a kill only when nothing runs in front.
fetch() { # the rest of URL $1 to the end of file $2
    if [ "$tool" = curl ]; then
        curl --fail --location --continue-at - --connect-timeout 30 --speed-limit 1 \
            --speed-time 60 --write-out '%{errormsg}' --output "$2" \
            "$([ -t 2 ] && echo --progress-bar || echo --silent)" "$1" >"$log" &
    else
        wget --continue --tries=1 --timeout=60 --no-http-keep-alive --output-file="$log" \
            --no-verbose "--$([ -t 2 ] || echo no-)show-progress" --output-document="$2" "$1" &
    fi
    wait $!
}

download() { # URL $1 to file $2, in several tries where the connection breaks
    local held status tool try why
    tool=$(command -v curl || command -v wget) || need curl
    tool=${tool##*/}
    say "$([ -s "$2" ] && echo resuming || echo downloading) $1"
    for try in 1 2 3 4 5; do
        [ "$try" = 1 ] || sleep 3
        held=$(size "$2") status=0
        fetch "$1" "$2" || status=$?
        [ -s "$2" ] || rm -f "$2"
        why=$(tail -n 1 "$log" | sed -E 's/.* ([45][0-9]{2})(:.*)?$/\1/')
        case $tool$status in
            curl0 | wget0) return ;;
            curl22 | wget8) fail "$1: the server answered $why" ;;
            curl23 | wget3) fail "$2 cannot be written: is the disk full?" ;;
            curl33) rm "$2" && say "the server cannot resume: from the start" && continue ;;
        esac
        if [ "$try" = 1 ] && [ "$(size "$2")" = "$held" ]; then
            fail "nothing came from $1 ($why): check the network, then $again"
        fi
        say "the connection broke after $(size "$2") bytes"
    done
    fail "$1: the connection breaks all the time: $again to resume"
}

whole() { # is the file $1, of kind $2, an archive from its start to its end?
    case $2 in # a tar that is cut between two files lacks nothing but the zeros at the end
        tar) [ -s "$1" ] && [ -z "$(tail -c 512 "$1" | tr -d '\0')" ] && tar -tf "$1" &>/dev/null ;;
        zip) [ "$(python3 -Im zipfile -t "$1" 2>/dev/null)" = "Done testing" ] ;;
    esac
}

get() { # the archive $2.$3 from the address $1, and the folder $2 that is in it
    local folder=data/$2 archive=data/$2.$3 file=data/$2.$3 new=data/$2.unpacking
    reject() { rm -rf "$file" "$new" && fail "$archive $1 and is removed: $again to start afresh"; }
    [ ! -d "$folder" ] || { say "$folder is there already: left alone" && return; }
    need "${3/zip/python3}"
    if [ -f "$archive" ]; then
        say "$archive is there already: not downloaded again"
    else
        file=$archive.part
        download "${1%/}/$2.$3" "$file"
    fi
    whole "$file" "$3" || reject "was not a whole $3 file"
    [ "$file" = "$archive" ] || mv "$file" "$archive"
    file=$archive
    say "unpacking $archive"
    rm -rf "$new" && mkdir "$new"
    case $3 in # on a full disk tar would complain about each file: its first complaint ends it
        tar) tar -xf "$archive" -C "$new" --warning=none 2>&1 | head -n 1 >"$log" & ;;
        zip) python3 -Im zipfile -e "$archive" "$new" 2>&1 | tail -n 1 >"$log" & ;;
    esac
    wait $! ||
        { rm -rf "$new" && fail "$archive cannot be unpacked: is the disk full? $(cat "$log")"; }
    [ -d "$new/$2" ] || reject "held no folder $2"
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
mkdir -p data 2>/dev/null || fail "$PWD/data cannot be made"
exec 9<data # a download that outlives its killed script still holds this lock
flock -n 9 || { say "waiting for another download.sh that works in data" && flock 9; } ||
    say "there are no locks here: do not run it twice at once"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap stop INT TERM
[ $# != 0 ] || set -- imdb wiki
for name; do
    case $name in
        appa-real) get "$appa_real" appa-real-release zip ;;
        *) get "$imdb_wiki" "${name}_crop" tar ;;
    esac
done
