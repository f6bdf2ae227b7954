# mail: multi plain
require "mime";
if header :mime :anychild :param "filename" :matches "content-disposition" "*.exe" { discard; }
