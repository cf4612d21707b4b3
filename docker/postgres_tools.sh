#!/bin/sh
# Puts pg_dump and pg_restore, with every library they need, in one folder that runs on any Linux.
#
#     postgres_tools.sh FOLDER_OF_PROGRAMS TARGET
#
# The Dockerfile runs it in the image of the server: manage.py backup then has the server's own version,
# whatever the Debian of our image.
set -eu
programs=$1 target=$2
mkdir -p "$target/bin" "$target/lib"
for name in pg_dump pg_restore; do
    cp -L "$programs/$name" "$target/lib/$name"
    ldd "$programs/$name" | awk '/=> \// {print $3} /^[ \t]*\// {print $1}' | while read -r library; do
        cp -L "$library" "$target/lib/"
    done
    loader=$(basename "$(ldd "$programs/$name" | awk '/ld-linux/ {print $1}')")
    cat >"$target/bin/$name" <<SCRIPT
#!/bin/sh
lib=\$(dirname "\$(readlink -f "\$0")")/../lib
exec "\$lib/$loader" --library-path "\$lib" "\$lib/$name" "\$@"
SCRIPT
    chmod 755 "$target/bin/$name"
    "$target/bin/$name" --version
done
