#!/bin/sh
# image.sh PROGRAM FOLDER: makes the root of a container image: the program, what it is linked with, and the certificate
# authorities that mail servers are checked by.
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
authorities=/etc/ssl/certs/ca-certificates.crt
if [ -f "$authorities" ]; then
    mkdir -p "$folder$(dirname "$authorities")"
    cp --dereference "$authorities" "$folder$authorities"
fi
