# epsim_embed_files(OUT_VAR NAME name [ENDINGS] FILES a.json b.json): writes a C++ source that holds the
# files' text as the table `epsim::embedded::<NAME>()`, so that the binary needs no folder beside it.
# A file's name there has no ending, unless ENDINGS is given. The table of no files is empty.
#
# A C++ string literal may be limited in length by a compiler, so the text is cut into adjacent
# raw literals of a few kilobytes.
function(epsim_embed_files OUT_VAR)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "ENDINGS" "NAME" "FILES")
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded_${ARG_NAME}.cpp)
  set(sources "")
  foreach(file IN LISTS ARG_FILES)
    list(APPEND sources ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -D OUTPUT=${output} -D NAME=${ARG_NAME} -D ENDINGS=${ARG_ENDINGS}
            -D "FILES=${sources}"
            -P ${PROJECT_SOURCE_DIR}/cmake/WriteEmbedded.cmake
    DEPENDS ${sources} ${PROJECT_SOURCE_DIR}/cmake/WriteEmbedded.cmake
    VERBATIM)
  set(${OUT_VAR} ${output} PARENT_SCOPE)
endfunction()
