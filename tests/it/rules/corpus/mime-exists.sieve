# mail: multi plain
require "mime";
if exists :mime :anychild "content-disposition" { discard; }
