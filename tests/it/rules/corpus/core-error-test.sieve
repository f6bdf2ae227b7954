# mail: plain list
if flying { keep; }
