# mail: written
require "mime";
if allof(header :mime :type :is "content-transfer-encoding" "", header :mime :subtype :is "content-disposition" "",
    header :mime :contenttype :is "subject" "", header :mime :type :is "content-disposition" "inline") { discard; }
