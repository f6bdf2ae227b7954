# mail: plain list
require ["variables", "fileinto"];
if header :matches "list-id" "*<*.lists.*>*" { set :upperfirst "x" "${2}"; fileinto "Lists/${x}"; }
