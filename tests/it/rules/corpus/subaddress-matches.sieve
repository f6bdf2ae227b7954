# mail: plain list
require ["subaddress", "envelope", "variables", "fileinto"];
if envelope :detail :matches "to" "*" { set :upperfirst "d" "${1}"; fileinto "Lists/${d}"; }
