#!/bin/bash
# The tutorial's recipe up to the finished archive, as a person would type it: recipe.sh LABEL BASH ECHO [FOLDER]
# Works in the current folder; FOLDER, if given, is copied to /opt/data. Typed again after each change, all of it.
set -eu
label=$1 bash=$2 echo=$3 folder=${4-}

mkdir -p rootfs/{dev,bin,lib64}

cp "$bash" rootfs/bin/bash
cp "$echo" rootfs/bin/echo
if [ -n "$folder" ]; then
    mkdir -p rootfs/opt/data
    cp -r "$folder/." rootfs/opt/data
fi

for program in "$bash" "$echo"; do
    for library in $(ldd "$program" | awk '{print $3}' | grep -v '^$'); do
        cp "$library" rootfs/lib64/
    done
    cp "$(ldd "$program" | awk '$1 ~ /^\// {print $1}')" rootfs/lib64/
done

tar -cf demo-image.tar -C rootfs/ .

digest=$(sha256sum demo-image.tar | cut -d ' ' -f 1)

cat >config.json <<END
{
  "architecture": "amd64",
  "os": "linux",
  "config": {
    "Entrypoint": ["/bin/bash"],
    "Env": ["PATH=/bin"],
    "WorkingDir": "/",
    "Labels": {"revision": "$label"}
  },
  "rootfs": {
    "type": "layers",
    "diff_ids": ["sha256:$digest"]
  },
  "history": [
    {
      "created": "2024-06-18T00:00:00Z",
      "created_by": "yai_yang"
    }
  ]
}
END

cat >manifest.json <<END
[
  {
    "Config": "config.json",
    "RepoTags": ["benchmark:recipe"],
    "Layers": ["demo-image.tar"]
  }
]
END

tar -cf basic.tar demo-image.tar config.json manifest.json
