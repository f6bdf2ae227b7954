# mail: multi plain
require ["foreverypart", "mime"];
foreverypart { if header :mime :subtype "content-type" "html" { discard; break; } }
