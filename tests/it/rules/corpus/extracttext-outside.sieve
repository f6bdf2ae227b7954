# mail: plain list
require ["extracttext", "variables"];
extracttext "t";
