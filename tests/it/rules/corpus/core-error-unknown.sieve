# mail: plain list
fly "away";
