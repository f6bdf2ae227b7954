# mail: plain list
if header ["x-none", "x-priority"] ["3"] { discard; }
