(component (core module (memory 9000)))
