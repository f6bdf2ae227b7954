# mail: plain list
require ["variables", "reject"];
reject "[${nothing}]";
