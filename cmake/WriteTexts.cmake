# Run with -P by EpsimPackage.cmake: EPSIM, the built program, and FOLDER in; its manual page and
# completions out. GZIP may be empty: then the page stays as it is.
file(MAKE_DIRECTORY ${FOLDER})
foreach(text "manual:epsim.1" "completion bash:epsim" "completion zsh:_epsim")
  string(REPLACE ":" ";" text ${text})
  list(POP_BACK text file)
  separate_arguments(arguments UNIX_COMMAND "${text}")
  execute_process(COMMAND ${EPSIM} ${arguments} OUTPUT_FILE ${FOLDER}/${file}
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()
if(GZIP)
  execute_process(COMMAND ${GZIP} -9nkf ${FOLDER}/epsim.1 COMMAND_ERROR_IS_FATAL ANY)
endif()
