# firebreak_embed(TARGET SYMBOL ns::fn BASE dir FILES a b …): the static library TARGET, which
# defines `std::span<const firebreak::config::Resource> ns::fn() noexcept` over the files' texts,
# sorted by their path below BASE. Rebuilt when a file changes.
set(FIREBREAK_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed_files.cmake)

function(firebreak_embed target)
  cmake_parse_arguments(arg "" "SYMBOL;BASE" "FILES" ${ARGN})
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${target}.cc)
  list(SORT arg_FILES)
  # The list goes through a file: it may be longer than a command line.
  set(listing ${CMAKE_CURRENT_BINARY_DIR}/${target}.files)
  string(REPLACE ";" "\n" lines "${arg_FILES}")
  file(CONFIGURE OUTPUT ${listing} CONTENT "${lines}\n" @ONLY)
  add_custom_command(OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${generated} -DSYMBOL=${arg_SYMBOL} -DBASE=${arg_BASE}
            -DLISTING=${listing} -P ${FIREBREAK_EMBED_SCRIPT}
    DEPENDS ${arg_FILES} ${listing} ${FIREBREAK_EMBED_SCRIPT}
    COMMENT "Embedding files into ${target}" VERBATIM)
  add_library(${target} STATIC ${generated})
endfunction()
