# What `cmake --install` and CPack put where. The program itself writes its manual page and
# completions once it is built, so that they say what it does.
include(GNUInstallDirs)

install(TARGETS epsim RUNTIME)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
# Of what the program carries to write into pages.
install(FILES notebooks_export/page/notices.txt DESTINATION ${CMAKE_INSTALL_DOCDIR}
  RENAME third_party_notices.txt)

# A build for another machine cannot run what it built; one that measures only has no such verbs.
if(NOT EPSIM_MEASURE_ONLY AND NOT CMAKE_CROSSCOMPILING AND NOT EPSIM_FUZZ)
  find_program(EPSIM_GZIP gzip)
  set(epsim_share ${PROJECT_BINARY_DIR}/share)
  set(epsim_page epsim.1)
  if(EPSIM_GZIP)
    string(APPEND epsim_page .gz)
  endif()
  add_custom_command(OUTPUT ${epsim_share}/${epsim_page} ${epsim_share}/epsim ${epsim_share}/_epsim
    COMMAND ${CMAKE_COMMAND} -D EPSIM=$<TARGET_FILE:epsim> -D FOLDER=${epsim_share}
            -D "GZIP=$<$<BOOL:${EPSIM_GZIP}>:${EPSIM_GZIP}>"
            -P ${PROJECT_SOURCE_DIR}/cmake/WriteTexts.cmake
    DEPENDS epsim ${PROJECT_SOURCE_DIR}/cmake/WriteTexts.cmake
    VERBATIM)
  add_custom_target(epsim_texts ALL DEPENDS ${epsim_share}/${epsim_page} ${epsim_share}/epsim ${epsim_share}/_epsim)
  install(FILES ${epsim_share}/${epsim_page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${epsim_share}/epsim DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${epsim_share}/_epsim DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME epsim)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR})
set(CPACK_PACKAGE_VENDOR "epsim developers")
set(CPACK_PACKAGE_CONTACT "epsim developers <epsim-developers@lists.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "predicts times of mixture-of-experts exchanges on GPU fabrics")
set(CPACK_PACKAGE_DESCRIPTION
  "epsim predicts, before anything is deployed, how long the dispatch and combine
of mixture-of-experts models take on a given GPU fabric, how much of that time
compute hides, what each memory fence costs, what its absence lets a reader
see, and which deployment meets a latency target. It needs no GPU.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

# Files that a Debian package has and an installation elsewhere has not: a step of CPack's own.
configure_file(cmake/DebianFiles.cmake.in ${PROJECT_BINARY_DIR}/debian/DebianFiles.cmake @ONLY)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_BINARY_DIR}/debian/DebianFiles.cmake)
include(CPack)
