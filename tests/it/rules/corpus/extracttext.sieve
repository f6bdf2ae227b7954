# mail: multi
require ["foreverypart", "mime", "extracttext", "variables", "reject"];
foreverypart { if header :mime :contenttype "content-type" "text/plain" { extracttext :first 6 "t"; reject "${t}"; break; } }
