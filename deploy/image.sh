#!/bin/sh
# image.sh PROGRAM FOLDER: makes the root of a container image, the program and what it is linked with.
set -eu
program=$1
folder=$2

mkdir -p "$folder/data" "$folder/tmp"
chmod 1777 "$folder/tmp"
cp "$program" "$folder/keyfob"
# The paths that ldd names, the dynamic loader among them, at the same places.
for library in $(ldd "$program" | grep -o '/[^ ]*'); do
    mkdir -p "$folder$(dirname "$library")"
    cp --dereference "$library" "$folder$library"
done
