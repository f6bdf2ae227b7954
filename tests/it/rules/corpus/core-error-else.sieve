# mail: plain list
else { keep; }
