# mail: plain list
require ["foreverypart"];
break;
