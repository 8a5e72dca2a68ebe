# Usage: cmake -DOUTPUT=<file> -DFOLDER=<folder> -P catalogue.cmake
#
# Writes each *.scenario of the folder as an entry of the array in catalogue.cc: its name and its text.

file(GLOB files "${FOLDER}/*.scenario")  # by name
set(entries "// Made from anomalies/catalogue/*.scenario by anomalies/catalogue.cmake.\n")
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME_WLE)
  file(READ "${file}" text)
  string(APPEND entries "{\"${name}\", R\"scenario(${text})scenario\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "${entries}")
