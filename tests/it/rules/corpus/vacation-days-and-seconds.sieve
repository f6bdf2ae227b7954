# mail: plain list
require ["vacation", "vacation-seconds"];
vacation :days 1 :seconds 1800 "away";
