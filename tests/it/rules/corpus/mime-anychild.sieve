# mail: multi plain
require "mime";
if header :mime :anychild :contenttype "content-type" "text/html" { discard; }
